//! sallyport-wire
