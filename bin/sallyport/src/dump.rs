//! Reviewed tables, as text for the snapshots in the tree.

use clap::{Args, ValueEnum};
use sallyport_server::routes;

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Routes,
    Roles,
    Openapi,
    Errors,
    UnsignedMessages,
}

#[derive(Args)]
pub(crate) struct Dump {
    what: What,
}

impl Dump {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Routes => print!("{}", routes::print()),
            What::Roles => print!("{}", sallyport_server::print_roles()),
            What::Openapi => println!("{}", sallyport_server::print_openapi()?),
            What::Errors => print!("{}", sallyport_server::print_errors()),
            What::UnsignedMessages => print!("{}", sallyport_server::print_unsigned_messages()),
        }
        Ok(())
    }
}
