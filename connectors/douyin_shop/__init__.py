"""Douyin shop (抖店): the buyers of one shop, over its open platform."""
