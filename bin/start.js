// Starts a command that scripts call in a loop. Most of the time that takes is compiling, and the build keeps beside each bundle what
// V8 has compiled of it, all that a usual run needs. Under another V8 than that of the build, Node keeps what it can, from 22.8 on.
const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')

const Module = module.constructor
const [version] = process.versions.v8.split('-')

/** Where the bundle of a command is, and what this V8 would have compiled of it. */
function filesOf(name) {
  const bundle = join(__dirname, '..', 'dist', `${name}.cjs`)
  return { bundle, compiled: `${bundle}.${version}` }
}

/** The bundle as V8 has it; `cachedDataRejected` tells whether what was kept could not be used. */
function compile({ bundle, compiled }) {
  // Nothing but ASCII is in it.
  return new Script(`(function (require, __filename) {${readFileSync(bundle, 'latin1')}\n})`, {
    filename: bundle,
    cachedData: existsSync(compiled) ? readFileSync(compiled) : undefined,
  })
}

function run(script, { bundle }) {
  script.runInThisContext()(Module.createRequire(bundle), bundle)
}

function start(name) {
  const files = filesOf(name)
  if (existsSync(files.compiled)) run(compile(files), files)
  else {
    require('node:module').enableCompileCache?.()
    require(files.bundle)
  }
}

module.exports = { filesOf, compile, run, start }
