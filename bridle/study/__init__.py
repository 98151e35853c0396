"""What is made from finished runs: pictures, and a look at the machine."""
