//! sallyport-decide
