"""What runs where: gangs, the free-capacity index, the passes that place and take back, and why something waits."""
