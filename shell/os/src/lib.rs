//! sallyport-os
