// npm's bittorrent-tracker on one IPv6 address, HTTP and UDP on the same port.
// usage: node tracker.mjs FOLDER_WITH_NODE_MODULES ADDRESS PORT
const [folder, address, port] = process.argv.slice(2)
const { Server } = await import(`${folder}/node_modules/bittorrent-tracker/index.js`)

const server = new Server({ ws: false, stats: false })

// Its answers over UDP hold IPv4 peers only, whoever asks. BEP 15: "In case of an announce over IPv6, [IP address is] 128 bits".
const answer = server._onRequest.bind(server)
server._onRequest = (params, callback) => answer(params, (error, response) => {
  if (response?.peers6 && params.type === 'udp' && params.ip.includes(':')) response.peers = response.peers6
  callback(error, response)
})

for (const event of ['start', 'complete', 'stop', 'warning', 'error']) {
  server.on(event, (about) => console.log(event, about?.message ?? about))
}
server.listen(Number(port), { http: address, udp6: address }, () => console.log('listening'))
