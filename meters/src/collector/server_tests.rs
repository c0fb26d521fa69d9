use super::*;
use crate::collector::{Background, Tally};
use std::io::Write;

/// A message of NetFlow v5 with `n` flows of one packet each.
fn v5(sequence: u32, n: u16) -> Vec<u8> {
    let mut m = vec![0, 5];
    m.extend(n.to_be_bytes());
    m.extend([0; 12]);
    m.extend(sequence.to_be_bytes());
    m.extend([0; 4]);
    for i in 0..n {
        let mut record = [0; 48];
        record[19] = 1;
        record[32..34].copy_from_slice(&i.to_be_bytes());
        m.extend(record);
    }
    m
}

/// A message of IPFIX with a template of packetDeltaCount and two records.
fn ipfix(sequence: u32) -> Vec<u8> {
    let mut m = vec![0, 10, 0, 34, 0, 0, 0, 0];
    m.extend(sequence.to_be_bytes());
    m.extend([0, 0, 0, 1, 0, 2, 0, 12, 1, 0, 0, 1, 0, 2, 0, 1, 1, 0, 0, 6, 3, 4]);
    m
}

fn listen() -> Background<Tally> {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).unwrap();
    Background::start(server, Tally::default(), |tally, _, record| record.flows(&mut |flow| tally.add(flow)))
        .unwrap()
}

#[test]
fn datagrams_and_connections_are_collected_side_by_side() {
    let collector = listen();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for i in 0..10u32 {
        // one is lost on the way
        if i != 4 {
            udp.send_to(&v5(i * 30, 30), collector.address()).unwrap();
        }
    }
    udp.send_to(b"rubbish", collector.address()).unwrap();
    let mut tcp: Vec<_> = (0..3).map(|_| TcpStream::connect(collector.address()).unwrap()).collect();
    for i in 0..5 {
        for connection in &mut tcp {
            let message = ipfix(2 * i);
            connection.write_all(&message[..20]).unwrap();
            connection.write_all(&message[20..]).unwrap();
        }
    }
    drop(tcp);
    let (tally, summary) = collector.stop().unwrap();
    assert_eq!((tally.flows, tally.packets), (9 * 30 + 3 * 5 * 2, 9 * 30 + 3 * 5 * 7));
    assert_eq!((summary.all.lost, summary.unreadable, summary.socket_drops), (30, 1, 0));
    assert_eq!(summary.exporters.len(), 4);
    assert!(!summary.complete());
}

#[test]
fn a_connection_that_talks_rubbish_is_closed_and_others_go_on() {
    let collector = listen();
    let mut bad = TcpStream::connect(collector.address()).unwrap();
    let mut good = TcpStream::connect(collector.address()).unwrap();
    bad.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    // until the collector has closed it
    let mut end = [0];
    assert!(matches!(bad.read(&mut end), Ok(0) | Err(_)));
    good.write_all(&ipfix(0)).unwrap();
    drop(good);
    let (tally, summary) = collector.stop().unwrap();
    assert_eq!((tally.flows, summary.unreadable), (2, 1));
}

#[test]
fn what_the_socket_drops_is_counted() {
    // nobody reads while more comes than a small buffer holds
    let options = ServerOptions { buffer: 8_192, ..ServerOptions::default() };
    let mut server = Server::bind("127.0.0.1:0", options).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = 200u32;
    for i in 0..sent {
        udp.send_to(&v5(i * 30, 30), server.address().unwrap()).unwrap();
    }
    let mut records = 0;
    server.run(&AtomicBool::new(true), &mut |_, _| records += 1).unwrap();
    let summary = server.summary().unwrap();
    assert!(summary.socket_drops > 0 && summary.socket_buffer < 100_000, "{summary}");
    assert_eq!(summary.socket_drops + summary.all.messages, u64::from(sent));
    assert_eq!(records, summary.all.records);
}

#[test]
fn connections_beyond_the_bound_are_refused() {
    let options = ServerOptions { connections: 2, ..ServerOptions::default() };
    let mut server = Server::bind("127.0.0.1:0", options).unwrap();
    let all: Vec<_> = (0..5).map(|_| TcpStream::connect(server.address().unwrap()).unwrap()).collect();
    server.run(&AtomicBool::new(true), &mut |_, _| ()).unwrap();
    assert_eq!((server.connections.len(), server.summary().unwrap().refused_connections), (2, 3));
    drop(all);
}
