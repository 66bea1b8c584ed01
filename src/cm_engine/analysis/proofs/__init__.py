"""What holds for every sequence of results, and what published evidence, funders and law have to say."""
