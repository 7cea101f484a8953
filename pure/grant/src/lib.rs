//! sallyport-grant
