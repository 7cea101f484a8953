//! Guarded operations: the closed set of actions, who may ask for them and what they take to be released.
