// Starts a command that scripts call in a loop. Most of the time that takes is compiling. Node keeps what it has compiled from 22.8
// on; for older ones the build keeps it beside the bundle, and V8 takes it if it is of its own version.
const { existsSync, readFileSync } = require('node:fs')
const Module = require('node:module')
const { join } = require('node:path')
const { Script } = require('node:vm')

/** Where the bundle of a command is, and what was compiled of it. */
function filesOf(name) {
  const bundle = join(__dirname, '..', 'dist', `${name}.cjs`)
  return { bundle, compiled: `${bundle}.cache` }
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

/** Whether this Node keeps what it compiles. */
const keepsItself = Module.enableCompileCache !== undefined

function start(name) {
  const files = filesOf(name)
  if (keepsItself) {
    Module.enableCompileCache()
    require(files.bundle)
  } else run(compile(files), files)
}

module.exports = { filesOf, compile, run, keepsItself, start }
