// What a plugin and the program that loads it must agree on before they exchange anything else.
#ifndef VITRINE_PLUGIN_H
#define VITRINE_PLUGIN_H

/// Version of Vitrine.
#define VITRINE_VERSION "0.1.0"

/// Digest of the declarations of VitrineTensor, VitrineCore and VitrinePluginKit: of all that code built
/// against these modules relies on, such as the layout of a struct. A test computes it from the sources,
/// `.ci/interface-digest` writes it here after a change.
#define VITRINE_INTERFACE "d3a30d8f01bf3c45"

/// Form of the handshake itself.
#define VITRINE_HANDSHAKE "vitrine-plugin/1"

/// Returns the handshake of the code that calls it, as it was compiled: one line of text.
///
/// Being inline, it is compiled into a plugin, with the constants of the headers and the name of the
/// compiler that the plugin was built with. It is found in the file before the file is loaded.
static inline const char *vitrine_plugin_text(void) {
  return VITRINE_HANDSHAKE " vitrine=" VITRINE_VERSION " interface=" VITRINE_INTERFACE
                           " compiler=" __clang_version__;
}

#endif
