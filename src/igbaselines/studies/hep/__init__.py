"""2412.13864: averaged background events as baselines, in collider physics."""
