"""The launcher behind `./merpati`: everything one machine needs to run, try, test and check the product."""
