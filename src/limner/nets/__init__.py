"""Pure modules: tensors in, tensors out; every shape is fixed at construction."""
