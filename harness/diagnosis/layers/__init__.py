"""Where the error arises: tensors of both graphs matched and compared, and the cost of single layers."""
