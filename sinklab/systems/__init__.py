"""Domain functions of each ecosystem: soil cores, karst, wetland, grassland, bamboo, forest, shrub."""
