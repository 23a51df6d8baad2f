"""What is known from print and open data: distributions of scalar parameters, pooled studies, published equations."""
