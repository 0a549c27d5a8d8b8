"""The engine: a stream of points along paths, cut into chunks, integrated by quadrature."""
