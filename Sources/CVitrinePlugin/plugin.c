// A target needs a source; this one shows that the header stands on its own.
#include "vitrine_plugin.h"
