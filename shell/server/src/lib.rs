//! sallyport-server
