"""The hands: catalogue, clients, calls and the evaluator."""
