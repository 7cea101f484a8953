//! Roles: built in, and made by a tenant for itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::Role;

/// Who made a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleKind {
    /// Part of the product.
    BuiltIn,
    /// Made by the tenant.
    Custom,
}

/// All roles, and what roles are made of.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Roles {
    /// The built-in ones, the most powerful first, then the custom ones by name.
    pub roles: Vec<Role>,
    /// The capabilities that a custom role may have.
    pub capabilities: Vec<RoleCapability>,
}

/// Something that a role may allow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RoleCapability {
    /// Its word, as in a custom role.
    pub name: String,
    /// What it allows, for people.
    pub about: String,
    /// Whether it follows the scope of the role: otherwise it holds for the tenant alone.
    pub scoped: bool,
}

/// A custom role, to be made or replaced.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveRole {
    /// What people call it.
    pub name: String,
    /// What it allows: words of [`Roles::capabilities`].
    pub capabilities: Vec<String>,
}

/// Who must have a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MfaWho {
    /// Owners and administrators.
    Admins,
    /// Everybody.
    All,
    /// Owners, administrators, and users with one of the named roles.
    Roles,
}
