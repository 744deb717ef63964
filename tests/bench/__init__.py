"""Performance as ratios of one run on one machine: `./merpati bench`."""
