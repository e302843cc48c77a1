declare module "opentype.js" {
  const opentype: {
    readonly parse: (font: ArrayBufferLike, options: { readonly lowMemory: boolean }) => unknown
  }
  export default opentype
}
