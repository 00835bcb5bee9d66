use super::*;

fn at(millis: u64) -> Time {
    Time::from_micros(millis * 1_000)
}

/// A sender that has sent ten packets of ten bytes, the first with number 65,530.
fn sent() -> Sender {
    let mut sender = Sender::new(65_530);
    let bytes: Vec<u8> = (0..120).collect();
    sender.write(&bytes);
    for packet in 0..10 {
        sender.cut(10, false, at(packet));
    }
    sender
}

fn content(sender: &Sender, piece: Piece) -> Vec<u8> {
    let mut out = Vec::new();
    sender.copy(piece, &mut out);
    out
}

#[test]
fn what_is_acknowledged_is_forgotten() {
    let mut sender = sent();
    assert_eq!(
        (sender.flying(), sender.unsent(), sender.next_number()),
        (100, 20, 4)
    );
    assert_eq!(
        sender.on_ack(4, &[], true, at(50)),
        None,
        "it was never sent"
    );
    let acked = sender.on_ack(65_531, &[], true, at(50)).unwrap();
    assert_eq!(
        (acked.bytes, acked.trip),
        (20, Some(Duration::from_millis(49)))
    );
    assert_eq!((sender.bytes(), sender.flying()), (100, 80));
    // An older one that was overtaken.
    assert_eq!(
        sender.on_ack(65_529, &[], true, at(51)),
        Some(Acked::default())
    );
    assert!(sender.on_ack(3, &[], true, at(60)).unwrap().any);
    assert!(!sender.is_waiting());
    let piece = sender.cut(20, false, at(61));
    assert_eq!(content(&sender, piece), (100..120).collect::<Vec<u8>>());
    sender.on_ack(4, &[], true, at(62)).unwrap();
    assert_eq!(sender.bytes(), 0);
}

/// The second and third of ten packets are missing.
#[test]
fn packets_that_others_overtook_are_lost() {
    let mut sender = sent();
    let acked = sender
        .on_ack(65_530, &[0b110, 0, 0, 0], true, at(50))
        .unwrap();
    assert!(acked.any && !acked.lost, "two overtook them");
    assert_eq!(sender.flying(), 70);
    let acked = sender
        .on_ack(65_530, &[0b1110, 0, 0, 0], true, at(51))
        .unwrap();
    assert!(acked.lost);
    assert_eq!(sender.next_lost(), Some(10));
    for (number, bytes) in [(65_531, 10..20), (65_532, 20..30)] {
        let piece = sender.resend(at(52)).unwrap();
        assert_eq!(piece.number, number);
        assert_eq!(content(&sender, piece), bytes.collect::<Vec<u8>>());
    }
    assert_eq!(sender.next_lost(), None);
    // What was sent again is not lost again before later ones have overtaken it.
    let acked = sender
        .on_ack(65_530, &[0b1111_1110, 0, 0, 0], true, at(53))
        .unwrap();
    assert!(acked.any && !acked.lost);
    // Bits for packets that were never sent mean nothing.
    sender.on_ack(65_530, &[255; 64], true, at(53)).unwrap();
    assert_eq!(sender.flying(), 10);
    let acked = sender.on_ack(3, &[], true, at(90)).unwrap();
    assert_eq!(acked.trip, None, "which of the two got there is not known");
    assert_eq!(sender.flying(), 0);
}

#[test]
fn three_repeated_acknowledgements_mean_a_loss() {
    let mut sender = sent();
    sender.on_ack(65_530, &[], true, at(50)).unwrap();
    for _ in 0..2 {
        assert!(!sender.on_ack(65_530, &[], true, at(51)).unwrap().lost);
        assert!(
            !sender.on_ack(65_530, &[], false, at(51)).unwrap().lost,
            "it had content"
        );
    }
    assert!(sender.on_ack(65_530, &[], true, at(51)).unwrap().lost);
    assert_eq!(sender.resend(at(52)).map(|it| it.number), Some(65_531));
    assert!(!sender.on_ack(65_530, &[], true, at(53)).unwrap().lost);
}

/// So many may overtake a packet before it counts as lost; where more were seen to, so many more.
#[test]
fn so_many_may_overtake_one() {
    let mut sender = Sender::new(1);
    sender.write(&[0; 10_000]);
    for _ in 0..1_000 {
        sender.cut(10, false, at(0));
    }
    let sacks = |packets: usize| {
        let mut bytes = vec![0; packets.div_ceil(8)];
        (0..packets).for_each(|bit| bytes[bit / 8] |= 1 << (bit % 8));
        bytes
    };
    let few = sacks(limits::UTP_REORDERED - 1);
    assert!(!sender.on_ack(0, &few, true, at(50)).unwrap().lost);
    // It comes after 300 others, though it was sent again in vain: so many are waited for then.
    let many = sacks(300);
    assert!(sender.on_ack(0, &many, true, at(50)).unwrap().lost);
    sender.packets[0].state = State::Flying;
    (sender.lost, sender.flying) = (0, sender.flying + 10);
    assert!(sender.on_ack(301, &[], true, at(51)).unwrap().any);
    let most = limits::UTP_REORDERED_MOST as usize;
    let lost = |sender: &mut Sender, packets| {
        let acked = sender.on_ack(301, &sacks(packets), true, at(60));
        acked.unwrap().lost
    };
    assert!(!lost(&mut sender, most - 1));
    assert!(lost(&mut sender, most + 1));
}

#[test]
fn so_many_packets_are_under_way() {
    let mut sender = Sender::new(1);
    sender.write(&vec![0; limits::UTP_UNDER_WAY]);
    for _ in 0..limits::UTP_UNDER_WAY {
        assert!(sender.has_numbers());
        sender.cut(1, false, at(0));
    }
    assert!(!sender.has_numbers());
}

#[test]
fn a_longer_packet_that_is_lost_is_no_loss() {
    let mut sender = Sender::new(1);
    sender.write(&[0; 100]);
    sender.cut(10, true, at(0));
    for _ in 0..3 {
        sender.cut(10, false, at(0));
    }
    let acked = sender.on_ack(0, &[0b111, 0, 0, 0], true, at(50)).unwrap();
    assert_eq!((acked.lost, acked.padded), (false, Some(false)));
    assert_eq!(sender.resend(at(51)).map(|it| it.number), Some(1));
    assert_eq!(sender.on_ack(4, &[], true, at(60)).unwrap().padded, None);
    sender.cut(10, true, at(61));
    assert!(sender.lose_all());
    sender.resend(at(70));
    sender.cut(10, true, at(71));
    assert!(!sender.lose_all());
}

#[test]
fn the_last_packet_comes_after_all_others() {
    let mut sender = sent();
    sender.close();
    assert!(!sender.wants_to_end());
    sender.cut(20, false, at(11));
    assert!(sender.wants_to_end());
    let last = sender.cut(0, false, at(12));
    assert_eq!((last.number, last.is_last), (5, true));
    sender.on_ack(4, &[], true, at(20)).unwrap();
    assert!(!sender.is_over() && !sender.wants_to_end());
    sender.lose_all();
    assert_eq!(
        sender.resend(at(30)).map(|it| (it.number, it.is_last)),
        Some((5, true))
    );
    sender.on_ack(5, &[], true, at(40)).unwrap();
    assert!(sender.is_over());
}

/// A path that put packets out of order is trusted again, little by little, as they come in order.
#[test]
fn overtaking_is_forgotten() {
    let mut sender = Sender::new(0);
    sender.overtaken = 100;
    sender.write(&[0; 5_000]);
    for number in 0..limits::UTP_REORDERED_FOR {
        assert_eq!(sender.overtaken, 100);
        sender.cut(1, false, at(0));
        sender.on_ack(number as u16, &[], true, at(1)).unwrap();
    }
    assert_eq!(sender.overtaken, 75);
}
