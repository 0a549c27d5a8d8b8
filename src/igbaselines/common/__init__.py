"""What every part uses: errors, files, named random streams, tensors on disk, threads, progress and stopping."""
