"""What is worked out beside the loop and comes back as a proposal: how sure dates are, and which racks for whom."""
