//! sallyport-it
