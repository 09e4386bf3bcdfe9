"""Pure functions of tensors: what a discriminator and a generator are punished for."""
