"""The registered backends, by kind; importing this registers all of them."""

from conformance.backends import automata, forms, labelling, monitors, robust, stepping

__all__ = ["automata", "forms", "labelling", "monitors", "robust", "stepping"]
