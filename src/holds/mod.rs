//! Credits that go back from holds: on release, when a hold has ended, and what a last capture leaves. Nothing here draws
//! credits; holds are made and captured in the room `captures`.

pub mod ended;
pub mod extend;
pub mod give_back;
pub mod release;
