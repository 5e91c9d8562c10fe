"""The specs of published methods; `agentc bench methods NN` runs the experiment of one."""
