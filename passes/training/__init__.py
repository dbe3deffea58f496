"""One training step as a graph: forward, loss, backward and optimizer in the order in which PyTorch runs them.

separate_parameters   weights that an exporter merged are parameters of their own
training_form         what an inference export lost is taken back, with a warning
framework_operators   operators that exporters write out run as one, where the framework has them
eager_views           PyTorch's views and copies, by strides
autocast              mixed precision
build_backward        the backward graph: `tape` and `rules`, then `optimizer`
in_place              activations that write over their input
cudnn_workspace       scratch space of convolutions, with a device
"""
