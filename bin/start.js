// Starts a command that scripts call in a loop. Most of the time that takes is compiling, and the build keeps beside each bundle what
// V8 has compiled of it, all that a usual run needs. Under another V8 than that of the build, Node keeps what it can, from 22.8 on.
const { existsSync, readFileSync } = require('node:fs')
const { join, resolve } = require('node:path')
const { pathToFileURL } = require('node:url')
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

/** Whether there is something to start; says what to do when this is a checkout that has not been built. */
function isBuilt(name, file) {
  if (existsSync(file)) return true
  process.stderr.write(`${name}: not built yet: run 'npm install && npm run build' in ${resolve(__dirname, '..')}\n`)
  process.exitCode = 1
  return false
}

function start(name) {
  const files = filesOf(name)
  if (!isBuilt(name, files.bundle)) return
  if (existsSync(files.compiled)) run(compile(files), files)
  else {
    require('node:module').enableCompileCache?.()
    require(files.bundle)
  }
}

/** The same for a command that runs for long. */
function startModule(name) {
  const file = join(__dirname, '..', 'dist', `${name}.js`)
  if (!isBuilt(name, file)) return
  require('node:module').enableCompileCache?.()
  import(pathToFileURL(file))
}

module.exports = { filesOf, compile, run, start, startModule }
