"""Youzan (有赞): the customers of one shop, over its cloud platform."""
