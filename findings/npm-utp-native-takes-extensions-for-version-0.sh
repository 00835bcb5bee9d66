#!/usr/bin/env bash
# npm utp-native 2.5.3 (libutp, the uTP of webtorrent and Transmission), BEP 29, a caller by hand.
# Guess: an extension that the receiver does not know is passed over, as its length byte is there
# for; libtorrent adds one of type 3 (why it closes) to the packets that end its connections.
# Seen: the type of the first extension decides which version of the protocol a packet is taken for:
# with 0, 1 or 2 it is version 1, with 3 or more it is the old version 0, and is not delivered. Only
# the first one counts: the same extension behind one of type 2 is passed over.
# Output: first extension none: delivered; 1: delivered; 2: delivered; 3: lost; 200: lost; 3 behind
# 2: delivered
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --prefix . --ignore-scripts --no-audit --no-fund --silent utp-native@2.5.3
cat > run.cjs <<'JS'
const dgram = require('dgram')
const utp = require('utp-native')

const [DATA, STATE, SYN] = [0, 2, 4]

/** A packet of version 1 with extensions, each of a type and its bytes. */
function packet ({ type, id, seq, ack, extensions = [], content = '' }) {
  const head = Buffer.alloc(20)
  head[0] = type << 4 | 1
  head[1] = extensions.length ? extensions[0].type : 0
  head.writeUInt16BE(id, 2)
  head.writeUInt32BE(1000, 4)
  head.writeUInt32BE(1 << 20, 12)
  head.writeUInt16BE(seq, 16)
  head.writeUInt16BE(ack, 18)
  const parts = extensions.map(({ bytes }, place) => {
    const next = extensions[place + 1]
    return Buffer.from([next ? next.type : 0, bytes.length, ...bytes])
  })
  return Buffer.concat([head, ...parts, Buffer.from(content)])
}

/** Whether a packet of content with these extensions is delivered. */
function isDelivered (port, extensions, id, heard) {
  return new Promise(resolve => {
    const caller = dgram.createSocket('udp4')
    const send = what => caller.send(packet(what), port, '127.0.0.1')
    let wasAnswered = false
    const done = what => {
      caller.close()
      resolve(what)
    }
    caller.on('message', answer => {
      if (wasAnswered || answer[0] >> 4 !== STATE) return
      wasAnswered = true
      const ack = answer.readUInt16BE(16) - 1 & 0xffff
      const late = setTimeout(() => done('lost'), 2000)
      heard(content => {
        if (content !== `content ${id}`) return
        clearTimeout(late)
        done('delivered')
      })
      send({ type: DATA, id: id + 1, seq: 2, ack, extensions, content: `content ${id}` })
    })
    caller.bind(0, '127.0.0.1', () => send({ type: SYN, id, seq: 1, ack: 0 }))
  })
}

const none = Array(8).fill(0)
const cases = [
  ['none', []],
  ['1', [{ type: 1, bytes: [0, 0, 0, 0] }]],
  ['2', [{ type: 2, bytes: none }]],
  ['3', [{ type: 3, bytes: [0, 0, 0, 2] }]],
  ['200', [{ type: 200, bytes: none }]],
  ['3 behind 2', [{ type: 2, bytes: none }, { type: 3, bytes: [0, 0, 0, 2] }]]
]

async function main () {
  let listener = () => {}
  const server = utp.createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', content => listener(content.toString()))
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  let id = 100
  for (const [name, extensions] of cases) {
    const heard = hears => { listener = hears }
    console.log(`${name}:`, await isDelivered(server.address().port, extensions, id, heard))
    id += 10
  }
  process.exit(0)
}

// What does not end within a minute does not end.
setTimeout(() => process.exit(1), 60000)
main()
JS
node run.cjs | tee seen
diff - seen <<'TXT' || { echo "changed" >&2; exit 1; }
none: delivered
1: delivered
2: delivered
3: lost
200: lost
3 behind 2: delivered
TXT
