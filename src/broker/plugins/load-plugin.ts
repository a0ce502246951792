// Plugins from modules: finds the file or package that a configuration names and takes what it exports. The module runs with the
// broker's rights.

import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PluginConfig } from '../../options/plugin-config.js'
import { madePlugin, PluginError } from './loaded-plugin.js'
import type { Plugin } from './plugin.js'

/** How plugins that come with tsmq are called, wherever it is installed. */
const SHIPPED = 'tsmq/plugins/'
/** Of `mode`. */
const WRITABLE_BY_OTHERS = 0o002

export interface LoadedModule {
  readonly plugin: Plugin
  /** About the permissions of its file, to be logged. */
  readonly warnings: readonly string[]
}

/** Where a plugin is. */
export interface PluginFile {
  readonly file: string
  readonly warnings: readonly string[]
}

/**
 * Finds the module without running it.
 * @throws PluginError when it is not there, cannot be read, or is none that could be loaded
 */
export function findPlugin({ module, folder }: Pick<PluginConfig, 'module' | 'folder'>): PluginFile {
  const file = fileOf(module, folder)
  if (file.endsWith('.so'))
    throw new PluginError(module, 'is a shared library for Mosquitto; tsmq takes ES modules (see tsmq-plugin(7))')
  try {
    accessSync(file, constants.R_OK)
    const { mode } = statSync(file)
    const warning = `${file} is writable by everybody, and runs with the rights of the broker.`
    return { file, warnings: (mode & WRITABLE_BY_OTHERS) === 0 ? [] : [warning] }
  } catch (error) {
    throw new PluginError(module, reasonOf(error))
  }
}

/**
 * Loads the module and makes the plugin.
 * @throws PluginError
 */
export async function loadPlugin(config: PluginConfig): Promise<LoadedModule> {
  const { module, options } = config
  const { file, warnings } = findPlugin(config)
  return { plugin: await madePlugin(await imported(file, module), options, module), warnings }
}

/** A path is used as it is, from `folder` on; anything else is a package in `folder` or above, but for what is in tsmq itself. */
function fileOf(module: string, folder: string): string {
  if (module.startsWith(SHIPPED)) return shippedFile(module)
  const isPath = /^\.{0,2}\//.test(module) || /\.(?:[cm]?[jt]s|so)$/.test(module)
  if (isAbsolute(module)) return module
  if (isPath) return resolve(folder, module)
  const { resolve: find } = createRequire(join(resolve(folder), 'tsmq.conf'))
  try {
    return find(module)
  } catch (error) {
    const entry = entryOfPackage(module, find.paths(module) ?? [])
    if (entry !== undefined) return entry
    const reason = reasonOf(error).split('\n')[0]
    throw new PluginError(module, `${reason} (a file needs a path such as ./${module}.mjs)`)
  }
}

function shippedFile(module: string): string {
  try {
    return createRequire(import.meta.url).resolve(module)
  } catch {
    throw new PluginError(module, 'there is no such plugin in tsmq')
  }
}

/** The file of a package that can only be imported. */
function entryOfPackage(name: string, folders: readonly string[]): string | undefined {
  for (const each of folders) {
    let text: string
    try {
      text = readFileSync(join(each, name, 'package.json'), 'utf8')
    } catch {
      continue
    }
    const { exports } = JSON.parse(text) as { readonly exports?: unknown }
    const entry = entryOf(exports)
    if (entry !== undefined) return join(each, name, entry)
  }
  return undefined
}

function entryOf(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  const entries = new Map<string, unknown>(Object.entries(exports))
  return entryOf(entries.get('.') ?? entries.get('node') ?? entries.get('import') ?? entries.get('default'))
}

async function imported(file: string, module: string): Promise<unknown> {
  try {
    const exported: unknown = await import(pathToFileURL(file).href)
    const names = new Map<string, unknown>(Object.entries(exported as object))
    if (!names.has('default')) throw new Error('has no default export')
    return names.get('default')
  } catch (error) {
    if (codeOf(error) === 'ERR_UNKNOWN_FILE_EXTENSION' && /\.[cm]?ts$/.test(file))
      throw new PluginError(module, `Node ${process.version} does not run TypeScript; Node 22.18 and later do`)
    throw new PluginError(module, reasonOf(error))
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
