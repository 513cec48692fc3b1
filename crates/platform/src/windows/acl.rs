//! Security descriptors and access lists.
#![allow(unsafe_code)]

use std::{fs::File, io, os::windows::io::AsRawHandle as _, ptr, slice};

use windows_sys::Win32::{
    Foundation::{CloseHandle, HANDLE, LocalFree},
    Security::{
        ACCESS_ALLOWED_ACE, ACL,
        Authorization::{
            ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
            GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
        },
        DACL_SECURITY_INFORMATION, GetAce, GetTokenInformation, OWNER_SECURITY_INFORMATION,
        PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
    },
    System::Threading::{GetCurrentProcess, OpenProcessToken},
};

use super::text::wide;

/// Memory that the system allocated with LocalAlloc.
struct Local(*mut core::ffi::c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a function that says to free it so, and is freed once.
        unsafe { LocalFree(self.0) };
    }
}

/// A description of who has access to what is created.
pub(super) struct Descriptor {
    memory: Local,
}

impl Descriptor {
    /// Describes what belongs to the user alone.
    pub(super) fn private() -> io::Result<Self> {
        // P: nothing is inherited from above. OICI: what is made below inherits it.
        let text = wide(&format!("D:P(A;OICI;FA;;;{})", user_sid()?));
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        // SAFETY: `text` ends with zero; the descriptor is freed by `Local`.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Descriptor { memory: Local(descriptor) })
    }

    /// Returns it as functions that create something take it.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.memory.0,
            bInheritHandle: 0,
        }
    }
}

/// One entry of an access list that allows something.
pub(super) struct Allowed {
    /// Who: `None` for an entry of an unusual kind.
    pub sid: Option<String>,
    /// What.
    pub mask: u32,
}

/// The owner of a file and whom its access list allows something. `None` allows everybody
/// everything.
pub(super) struct Security {
    pub owner: String,
    pub allowed: Option<Vec<Allowed>>,
}

/// An entry that allows something, of the plain kind.
const ALLOWED: u8 = 0;
/// Kinds of entries that allow something to objects, or under conditions.
const OTHERS_ALLOWED: [u8; 3] = [5, 9, 11];
/// An entry that does not apply to the file itself.
const INHERIT_ONLY: u8 = 8;

pub(super) fn security_of(file: &File) -> io::Result<Security> {
    let (mut owner, mut list): (PSID, *mut ACL) = (ptr::null_mut(), ptr::null_mut());
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the handle is open; `owner` and `list` lead into the descriptor, which `Local` frees
    // at the end of this function.
    let error = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            &raw mut list,
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error.cast_signed()));
    }
    let _memory = Local(descriptor);
    let owner = sid_text(owner)?;
    if list.is_null() {
        return Ok(Security { owner, allowed: None });
    }
    // SAFETY: `list` is not null, and leads to a valid access list.
    let count = unsafe { (*list).AceCount };
    let mut allowed = Vec::new();
    for index in 0..u32::from(count) {
        let mut entry: *mut core::ffi::c_void = ptr::null_mut();
        // SAFETY: `list` is a valid access list.
        if unsafe { GetAce(list, index, &raw mut entry) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: all entries that allow something begin with a header and a mask; the plain kind
        // is an `ACCESS_ALLOWED_ACE`, which ends with an identifier.
        let found = unsafe { &*entry.cast::<ACCESS_ALLOWED_ACE>() };
        let kind = found.Header.AceType;
        if found.Header.AceFlags & INHERIT_ONLY != 0 {
            continue;
        }
        if kind == ALLOWED {
            let sid = (&raw const found.SidStart).cast_mut().cast();
            allowed.push(Allowed { sid: Some(sid_text(sid)?), mask: found.Mask });
        } else if OTHERS_ALLOWED.contains(&kind) {
            allowed.push(Allowed { sid: None, mask: found.Mask });
        }
    }
    Ok(Security { owner, allowed: Some(allowed) })
}

/// Returns an identifier as text, such as `S-1-5-18`.
fn sid_text(sid: PSID) -> io::Result<String> {
    let mut text: *mut u16 = ptr::null_mut();
    // SAFETY: the caller passes a valid identifier; the text is freed by `Local`.
    if unsafe { ConvertSidToStringSidW(sid, &raw mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let _memory = Local(text.cast());
    // SAFETY: the text ends with zero.
    let units = unsafe {
        let length = (0..).take_while(|&at| *text.add(at) != 0).count();
        slice::from_raw_parts(text, length)
    };
    Ok(String::from_utf16_lossy(units))
}

/// Returns the identifier of the user as whom this process runs.
pub(super) fn user_sid() -> io::Result<String> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the handle of this process is always valid.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // Aligned as `TOKEN_USER` needs it, and larger than any identifier.
    let mut buffer = [0_u64; 64];
    let mut length = 0;
    // SAFETY: the size that is passed is that of the buffer.
    let (done, error) = unsafe {
        let done = GetTokenInformation(
            token,
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size_of_val(&buffer) as u32,
            &raw mut length,
        );
        let error = io::Error::last_os_error();
        CloseHandle(token);
        (done, error)
    };
    if done == 0 {
        return Err(error);
    }
    // SAFETY: the system has put a `TOKEN_USER` there, whose identifier is in the buffer too.
    sid_text(unsafe { (*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid })
}
