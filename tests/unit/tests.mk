# tests.mk - each unit test with the files of the product that it links, and libraries if any:
# $(eval $(call unit-test,NAME,FILES,LIBRARIES))
