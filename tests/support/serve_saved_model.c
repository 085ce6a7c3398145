/* Loads a SavedModel through TensorFlow's C API, which is the loader of TF Serving, and asks it.

   serve_saved_model FOLDER HEIGHT WIDTH BG FG_BG OUT IN_BG IN_FG OUT_MASK IN_BG_BYTES IN_FG_BYTES OUT_PNG PNG_BG PNG_FG

   BG, FG_BG: files of HEIGHT x WIDTH x 3 bytes. OUT: the mask's floats are written there, OUT.png the mask's PNG.
   The names are those of operations, OUT_ ones as NAME:NUMBER. In between it asks for what cannot be answered: three
   lines are printed, the codes of what the loader said. Ends with 0 if it lived through all of it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensorflow/c/c_api.h"

static TF_Session *session;
static TF_Graph *graph;
static TF_Status *status;

static void must(int right, const char *what) {
  if (right) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static char *contents(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  must(file != NULL, path);
  fseek(file, 0, SEEK_END);
  *length = (size_t)ftell(file);
  rewind(file);
  char *data = malloc(*length);
  must(fread(data, 1, *length, file) == *length, path);
  fclose(file);
  return data;
}

static void keep(const char *path, const void *data, size_t length) {
  FILE *file = fopen(path, "wb");
  must(file != NULL && fwrite(data, 1, length, file) == length && fclose(file) == 0, path);
}

static TF_Output output(const char *name) {
  char operation[512];
  snprintf(operation, sizeof operation, "%s", name);
  char *colon = strrchr(operation, ':');
  int number = colon ? atoi(colon + 1) : 0;
  if (colon) *colon = 0;
  TF_Output found = {TF_GraphOperationByName(graph, operation), number};
  must(found.oper != NULL, name);
  return found;
}

static TF_Tensor *pixels(const char *data, const int64_t *shape, int rank) {
  size_t length = 1;
  for (int i = 0; i < rank; ++i) length *= (size_t)shape[i];
  TF_Tensor *tensor = TF_AllocateTensor(TF_UINT8, shape, rank, length);
  memcpy(TF_TensorData(tensor), data, length);
  return tensor;
}

static TF_Tensor *string(const char *data, size_t length) {
  const int64_t one = 1;
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, &one, 1, sizeof(TF_TString));
  TF_TString *text = TF_TensorData(tensor);
  TF_StringInit(text);
  TF_StringCopy(text, data, length);
  return tensor;
}

/* NULL, and the status, where there is no answer. */
static TF_Tensor *ask(const char *in_1, TF_Tensor *value_1, const char *in_2, TF_Tensor *value_2, const char *out) {
  TF_Output inputs[] = {output(in_1), output(in_2)}, wanted = output(out);
  TF_Tensor *values[] = {value_1, value_2}, *answer = NULL;
  TF_SessionRun(session, NULL, inputs, values, 2, &wanted, &answer, 1, NULL, 0, NULL, status);
  return TF_GetCode(status) == TF_OK ? answer : NULL;
}

int main(int count, char **arguments) {
  status = TF_NewStatus();
  must(count == 15, "15 arguments");
  const int64_t height = atoll(arguments[2]), width = atoll(arguments[3]);
  const char *in_bg = arguments[7], *in_fg = arguments[8], *in_bg_bytes = arguments[10], *in_fg_bytes = arguments[11];
  const char *tags[] = {"serve"};
  graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  session = TF_LoadSessionFromSavedModel(options, NULL, arguments[1], tags, 1, graph, NULL, status);
  must(TF_GetCode(status) == TF_OK, "load");

  size_t length, other;
  char *bg = contents(arguments[4], &length), *fg = contents(arguments[5], &other);
  must(length == (size_t)(height * width * 3) && other == length, "size of the pictures");
  const int64_t shape[] = {1, height, width, 3}, shorter[] = {1, height - 1, width, 3}, flat[] = {height, width, 3};

  /* What cannot be answered: two sizes; no batch; a file that is none. */
  ask(in_bg, pixels(bg, shape, 4), in_fg, pixels(fg, shorter, 4), arguments[9]);
  printf("%d\n", TF_GetCode(status));
  ask(in_bg, pixels(bg, flat, 3), in_fg, pixels(fg, flat, 3), arguments[9]);
  printf("%d\n", TF_GetCode(status));
  ask(in_bg_bytes, string("hello", 5), in_fg_bytes, string("\x89PNG", 4), arguments[12]);
  printf("%d\n", TF_GetCode(status));

  TF_Tensor *mask = ask(in_bg, pixels(bg, shape, 4), in_fg, pixels(fg, shape, 4), arguments[9]);
  must(mask != NULL, "mask");
  keep(arguments[6], TF_TensorData(mask), TF_TensorByteSize(mask));

  char *png_bg = contents(arguments[13], &length), *png_fg = contents(arguments[14], &other), path[1024];
  TF_Tensor *png = ask(in_bg_bytes, string(png_bg, length), in_fg_bytes, string(png_fg, other), arguments[12]);
  must(png != NULL, "mask_png_bytes");
  const TF_TString *text = TF_TensorData(png);
  snprintf(path, sizeof path, "%s.png", arguments[6]);
  keep(path, TF_StringGetDataPointer(text), TF_StringGetSize(text));
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  return 0;
}
