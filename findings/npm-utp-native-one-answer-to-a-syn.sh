#!/usr/bin/env bash
# npm utp-native 2.5.3 (libutp, the uTP of webtorrent), BEP 29, two sockets with a relay between.
# Guess: a transport made for lossy paths survives the loss of any one datagram: what is not
# answered is sent again, and the same SYN again gets the same answer again.
# Seen: a lost SYN costs three seconds. A lost answer to a SYN costs the connection: the caller
# repeats its SYN, but a SYN for a connection that is there already is passed over, and the answer
# is sent once. The caller gives up after 21 s; dialled anew, with another connection id, it is
# answered at once. A caller that hears nothing does better to take a new id than to repeat a SYN.
# Output: nothing lost: answered; SYN lost: 2 SYNs, answered; answer to the SYN lost: 3 SYNs with 1
# id, accepted 1, UTP_ETIMEDOUT; dialled anew: answered
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --prefix . --ignore-scripts --no-audit --no-fund --silent utp-native@2.5.3
cat > run.cjs <<'JS'
const dgram = require('dgram')
const utp = require('utp-native')

const SYN = 4

/** A server behind a relay that loses the first datagram for which `lost` is true. */
function serve (lost) {
  const seen = { syns: 0, ids: new Set(), accepted: 0, port: 0 }
  const relay = dgram.createSocket('udp4')
  const server = utp.createServer(socket => {
    seen.accepted++
    socket.on('error', () => {})
    socket.on('data', () => socket.write('answer'))
  })
  let caller
  let wasLost = false
  relay.on('message', (datagram, from) => {
    const back = from.port === server.address().port
    const syn = datagram[0] >> 4 === SYN
    if (!back) caller = from.port
    if (syn) {
      seen.syns++
      seen.ids.add(datagram.readUInt16BE(2))
    }
    if (wasLost || !lost(syn, back)) {
      relay.send(datagram, back ? caller : server.address().port, '127.0.0.1')
    } else {
      wasLost = true
    }
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => relay.bind(0, '127.0.0.1', () => {
      seen.port = relay.address().port
      resolve(seen)
    }))
  })
}

/** What comes of a question to that port. */
function ask (port) {
  return new Promise(resolve => {
    const socket = utp.connect(port, '127.0.0.1')
    socket.on('data', () => resolve('answered'))
    socket.on('error', error => resolve(error.message))
    socket.write('question')
  })
}

async function main () {
  const none = await serve(() => false)
  console.log('nothing lost:', await ask(none.port))
  const syn = await serve(syn => syn)
  const late = await ask(syn.port)
  console.log(`SYN lost: ${syn.syns} SYNs, ${late}`)
  const answer = await serve((_, back) => back)
  const never = await ask(answer.port)
  console.log(`answer to the SYN lost: ${answer.syns} SYNs with ${answer.ids.size} id, ` +
    `accepted ${answer.accepted}, ${never}`)
  console.log('dialled anew:', await ask(answer.port))
  process.exit(0)
}

// What does not end within a minute does not end.
setTimeout(() => process.exit(1), 60000)
main()
JS
node run.cjs | tee seen
diff - seen <<'TXT' || { echo "changed" >&2; exit 1; }
nothing lost: answered
SYN lost: 2 SYNs, answered
answer to the SYN lost: 3 SYNs with 1 id, accepted 1, UTP_ETIMEDOUT
dialled anew: answered
TXT
