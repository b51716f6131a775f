//! The pure parts of the gateway, and fixed workloads for them.

pub mod access;
pub mod broker;
pub mod limits;
pub mod mqtt;
pub mod time;

pub mod house;
pub mod workloads;
