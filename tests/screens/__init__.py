"""Pictures of the live screens for the README, taken from a real simulated session (`bash scripts.sh screens`)."""
