// A DHT of npm's bittorrent-dht on 127.0.0.1. Says at which port the first node is once all of them know others.
// usage: node dht.mjs FOLDER_WITH_NODE_MODULES COUNT
const [folder, count] = process.argv.slice(2)
const { default: DHT } = await import(`${folder}/node_modules/bittorrent-dht/index.js`)

const nodes = []
const start = (bootstrap) => new Promise((resolve, reject) => {
  const node = new DHT({ bootstrap })
  nodes.push(node)
  node.on('error', reject)
  node.listen(0, '127.0.0.1', () => bootstrap ? node.once('ready', resolve) : resolve())
})
await start(false)
const first = `127.0.0.1:${nodes[0].address().port}`
while (nodes.length < Number(count)) await start([first])
console.log(`listening ${first}`)
