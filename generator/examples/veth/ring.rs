//! A TPACKET_V3 reader that keeps nothing but the kernel's time stamps.

use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

const BLOCK: usize = 1 << 18;
const BLOCKS: usize = 64;

/// A ring of received packets, mapped into this process.
pub struct Ring {
    socket: libc::c_int,
    map: *mut u8,
}

// SAFETY: the map belongs to this value alone.
unsafe impl Send for Ring {}

fn check(result: libc::c_int, what: &str) -> Result<libc::c_int, String> {
    Errno::result(result).map_err(|e| format!("{what}: {e}"))
}

impl Ring {
    /// Opens a ring on an interface.
    pub fn open(interface: &str) -> Result<Self, String> {
        let index = nix::net::if_::if_nametoindex(interface).map_err(|e| format!("{interface}: {e}"))?;
        // SAFETY: plain system calls; every pointer is to a live value of the stated size.
        unsafe {
            let all = (libc::ETH_P_ALL as u16).to_be();
            let socket = check(libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0), "packet socket")?;
            let set = |option, value: *const libc::c_void, len: usize| {
                let done = libc::setsockopt(socket, libc::SOL_PACKET, option, value, len as u32);
                check(done, "TPACKET_V3")
            };
            let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
            set(libc::PACKET_VERSION, (&raw const version).cast(), size_of_val(&version))?;
            let request = libc::tpacket_req3 {
                tp_block_size: BLOCK as u32,
                tp_block_nr: BLOCKS as u32,
                tp_frame_size: 2048,
                tp_frame_nr: (BLOCK / 2048 * BLOCKS) as u32,
                tp_retire_blk_tov: 10,
                tp_sizeof_priv: 0,
                tp_feature_req_word: 0,
            };
            set(libc::PACKET_RX_RING, (&raw const request).cast(), size_of_val(&request))?;
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let map =
                libc::mmap(std::ptr::null_mut(), BLOCK * BLOCKS, protection, libc::MAP_SHARED, socket, 0);
            if map == libc::MAP_FAILED {
                return Err(format!("mmap: {}", Errno::last()));
            }
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = all;
            address.sll_ifindex = index as i32;
            let len = size_of_val(&address) as u32;
            check(libc::bind(socket, (&raw const address).cast(), len), "bind")?;
            Ok(Self { socket, map: map.cast() })
        }
    }

    /// Adds the time stamps of packets, in nanoseconds, until `stop`, and answers how many were dropped.
    pub fn read(&self, stamps: &mut Vec<u64>, stop: &AtomicBool) -> u32 {
        for block in (0..BLOCKS).cycle() {
            // SAFETY: the map holds BLOCKS blocks that start with a descriptor; the kernel hands a block over by its
            // status, which is therefore read atomically, and does not touch it until it is handed back.
            unsafe {
                let descriptor = self.map.add(block * BLOCK).cast::<libc::tpacket_block_desc>();
                let header = &raw mut (*descriptor).hdr.bh1;
                let status = AtomicU32::from_ptr(&raw mut (*header).block_status);
                while status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                    if stop.load(Ordering::Relaxed) {
                        return self.drops();
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
                let mut at = self.map.add(block * BLOCK + (*header).offset_to_first_pkt as usize);
                for _ in 0..(*header).num_pkts {
                    let packet = &*at.cast::<libc::tpacket3_hdr>();
                    stamps.push(u64::from(packet.tp_sec) * 1_000_000_000 + u64::from(packet.tp_nsec));
                    at = at.add(packet.tp_next_offset as usize);
                }
                status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            }
        }
        0
    }

    fn drops(&self) -> u32 {
        // SAFETY: the option's value is a live value of the stated size.
        unsafe {
            let mut stats: libc::tpacket_stats_v3 = std::mem::zeroed();
            let mut len = size_of_val(&stats) as u32;
            let option = libc::PACKET_STATISTICS;
            libc::getsockopt(self.socket, libc::SOL_PACKET, option, (&raw mut stats).cast(), &raw mut len);
            stats.tp_drops
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the map and the socket are this value's own and are not used after this.
        unsafe {
            libc::munmap(self.map.cast(), BLOCK * BLOCKS);
            libc::close(self.socket);
        }
    }
}
