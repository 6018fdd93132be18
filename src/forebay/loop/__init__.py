"""The only place where time moves: ports, the loop, the codec, replay, the follower."""
