/* The words of a line: one space between two, nothing else. */
#include "worker.h"

char *next_word(char **rest) {
    char *word = *rest;
    if (word == NULL || *word == '\0' || *word == ' ') fail_line("a word is missing, or there is a space too many");
    char *space = strchr(word, ' ');
    if (space) *space++ = '\0';
    *rest = space;
    return word;
}

void no_more_words(const char *rest) {
    if (rest != NULL) fail_line("there is more on the line than belongs there: %.80s", rest);
}

char *read_rest(char *rest) {
    if (rest == NULL || *rest == '\0') fail_line("a path or text is missing");
    char *copy = strdup(rest);
    if (copy == NULL) fail("memory", "there is no memory for a line");
    return copy;
}

int64_t read_number(const char *word, int64_t least, int64_t most) {
    char *end;
    long long number;
    errno = 0;
    number = strtoll(word, &end, 10);
    if (errno || *end || (*word != '-' && (*word < '0' || *word > '9')) || number < least || number > most)
        fail_line("found %.40s, expected a whole number from %lld to %lld", word, (long long)least, (long long)most);
    return number;
}

double read_decimal(const char *word, double least, double most) {
    char *end;
    double number = strtod(word, &end);
    if (*end || *word == ' ' || !(number >= least && number <= most))
        fail_line("found %.40s, expected a number from %g to %g", word, least, most);
    return number;
}

char *unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '\\') *to++ = *from;
        else if (from[1] == 'n' || from[1] == '\\') *to++ = *++from == 'n' ? '\n' : '\\';
        else fail_line("a backslash stands before `n` or another one only");
    }
    *to = '\0';
    return text;
}
