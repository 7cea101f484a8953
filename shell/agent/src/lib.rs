//! sallyport-agent-core
