"""M3 credit: from rewards and values to the advantage of every step."""
