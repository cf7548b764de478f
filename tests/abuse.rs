//! Clients that mean harm, or behave as if: what they take from others is bounded, and what they say stays where it belongs.

mod crowd;
mod openings;
mod texts;
mod unfinished;
